"""What a kubelet does for pods while they run: it probes their containers, and ends those that do not answer.

A kubelet is the program that Kubernetes runs on every node.  Of its work this is the part that goes on after a pod has started; the rest is
in ``pod``.  This package is copied to the machine and runs there beside the engine, so that it goes on when a notebook ends.  Therefore it
needs Python's standard library alone, and nothing of the course but itself; only ``client`` stays where the notebook is.

It keeps nothing in mind that it could not see again.  What it has to do for a container stands in a label, as ``Orders``; what it has found
out goes into a file for each container.  After every event of the engine it looks at all containers anew, so that an event which is missed
does no harm.  It ends when no container with orders is left.

``orders`` says what there is to do, ``engine`` asks the machine's engine, ``handlers`` put one question to a container, ``run`` follows one
container from its start to its end, ``service`` follows all of them, and ``__main__`` is the command.
"""
