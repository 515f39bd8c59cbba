"""What is awaited is looked up in the list of shares; contributions are gathered from the last one backwards."""

FILE = "hw/hw7/adjoints.py"


class Adjoints:
    def watch(self, node):
        self.watched |= {self.number(node)}

    def share(self, node, share, consumer, position):
        super().share(node, share, consumer, position)
        with self.lock:
            if share is not None and self.number(node) in self.watched:
                number = self.number(share)
                if share.cached_data is not None:
                    self.values[number] = copy_of(share.cached_data)
                    return
                self.awaited.add(number)

    def computed(self, node, op, inputs, seconds):
        super().computed(node, op, inputs, seconds)
        with self.lock:
            number = self.numbers[node]
            if number in self.awaited:
                self.values[number] = copy_of(node.cached_data)
                self.awaited.discard(number)

    def contributions(self, node):
        found, walk = [], None
        for share in reversed(self.shares):
            if share.node != self.number(node) or share.share is None:
                continue
            walk = share.walk if walk is None else walk
            if share.walk == walk:
                record = self.nodes[share.consumer]
                value = self.values[share.share] if share.share in self.values else None
                found.insert(0, Contribution(record.op, record.line, share.position, value))
        return found
