"""The questions to a group by sets of pairs, and what is outside read off from a list of all readers."""

from needle.compiled.fusion import _chain, _groups
from needle.compiled.program import with_instructions

FILE = "python/needle/compiled/fusion.py"


class Group:
    def stands_before(self, instruction):
        reads, writes = instruction.reads(), instruction.writes()
        mine = set(self.writes)
        return bool((mine & reads) | (mine & writes) | (self.reads & writes))

    def feeds(self, instruction):
        views = {x for x in instruction.inputs if x.buffer in self.writes}
        return len(views) > 0 and views <= set(self.writes.values())


def fuse_elementwise(program):
    chains = {group.members[-1]: group for group in _groups(program) if len(group.members) > 1}
    members = {i for group in chains.values() for i in group.members}
    kept = []
    for i, instruction in enumerate(program.instructions):
        if i in chains:
            every = [(b, j) for j, x in enumerate(program.instructions) for b in x.reads()]
            every += [(b, -1) for b in program.used()]
            readers = {b: {j for c, j in every if c == b} for b, _ in every}
            kept.append(_chain(program, chains[i], readers))
        elif i not in members:
            kept.append(instruction)
    return with_instructions(program, kept)
