"""From the largest number to the smallest, since inputs have smaller ones; ways are looked for from their beginning."""

FILE = "hw/hw7/provenance.py"


def ancestors(recorder, number):
    wanted = {number}
    for each in range(number, 0, -1):
        if each in wanted and each in recorder.nodes:
            wanted.update(recorder.nodes[each].inputs)
    return [each for each in range(1, number + 1) if each in wanted]


def consumers(recorder, number):
    found = []
    for each in sorted(recorder.nodes):
        if number in set(recorder.nodes[each].inputs):
            found.append(each)
    return found


def path(recorder, start, end):
    after = {}
    for number in sorted(recorder.nodes):
        for x in recorder.nodes[number].inputs:
            after.setdefault(x, []).append(number)
    before, layer = {start: 0}, [start]
    while layer and end not in before:
        following = []
        for number in layer:
            for each in after.get(number, ()):
                if each not in before:
                    before[each] = number
                    following.append(each)
        layer = following
    if end not in before:
        return []
    way = []
    while end:
        way.append(end)
        end = before[end]
    return list(reversed(way))


def explain(recorder, number):
    def told(node):
        parts = [f"#{node.number} {node.shape}"]
        if node.op:
            inputs = [f"#{x}" for x in node.inputs]
            parts[0] += f" = {node.op}({', '.join(inputs)})"
            parts.append(where(node.line))
            if node.module:
                parts.append(f"[{node.module}]")
            return "  ".join(parts)
        return f"{parts[0]} {node.name}".rstrip()

    return [told(recorder.nodes[each]) for each in ancestors(recorder, number)]
