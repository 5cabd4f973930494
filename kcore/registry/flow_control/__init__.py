"""API Priority and Fairness: which requests wait for which, and how many of each run at once.

`bootstrap` are the objects of a new cluster, `schemas` finds the FlowSchema of a request, `queues` holds those that
wait and `levels` shares the seats out. No sockets, no time but the loop's: the server's `limits` puts it at the door.
"""
