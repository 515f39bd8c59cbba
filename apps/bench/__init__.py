"""The benchmark: needle against its peers, doing the same work in turn (``python -m apps.bench``).

`__main__` reads the arguments and prints; `runner` takes the turns; `worker` is the process in which one side works;
`sides` holds the same work written once for every library; every other file is one benchmark: its cases, its inputs,
and what its figures mean.

All figures are ratios of times taken in turn, in processes of their own, on one machine. Times taken on different days
or machines prove nothing, and are printed only to give an idea.
"""
