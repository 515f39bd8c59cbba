"""What Needle makes of what is known: errors that tell lines."""

from __future__ import annotations

import needle as ndl
from hw.hw7.recorder import Recorder
from hw.hw7.tests.checks import Layer, double, function_of, leaf, square
from hw.hw7.tests.test_known import replace
from hw.testing import hint, same
from needle import optim
from needle.listening import listening


@hint("An error of backward() names the line that replaced data, if `known` tells `changed`.")
def test_an_error_names_the_change():
    x = leaf(2)
    message = ""
    with listening(Recorder()):
        y = square(x)
        replace(x, 3.0)
        try:
            y.backward()
        except RuntimeError as error:
            message = str(error)
    same("replaced or written in place" in message, True, of="whether it says what happened")
    text = "x.data = leaf(*x.shape, value=value, requires_grad=False)"
    same(text in message, True, of="whether the error tells the line that did it")


@hint("An optimizer's step replaces data, too: the user's line is that of step().")
def test_a_step():
    net = Layer(2, 2)
    opt = optim.SGD(net.parameters(), lr=0.1)

    def step():
        opt.step()

    with listening(Recorder()) as recorder:
        net(leaf(1, 2)).sum().backward()
        step()
    same(function_of(recorder.known(net.weight).changed), "step", of="the function that changed the weight")


@hint("Whatever the node is: it was never met.")
def test_strangers():
    recorder, x = Recorder(), leaf(2)
    same([recorder.known(each) for each in (x, double(x), leaf(1))], [None] * 3, of="what is known of strangers")
    same(recorder.number(x), 1, of="the first number that is given afterwards")


@hint("Who was met by one recorder is a stranger to another.")
def test_two_recorders():
    x = leaf(2)
    with listening(Recorder()) as one:
        y = double(x)
    other = Recorder()
    same(other.known(y), None, of="what another recorder knows")
    same(one.known(y).number, 2, of="the number that the first one knows")
    same([len(one.nodes), len(other.nodes)], [2, 0], of="how many nodes each has written down")


@hint("What a lazy node is known by: the line that made it.")
def test_lazy_nodes():
    x = leaf(2)
    with listening(Recorder()) as recorder, ndl.lazy_mode():
        y = double(x)
        facts = recorder.known(y)
    same([function_of(facts.line), facts.number], ["double", 2], of="line and number of a lazy node")
