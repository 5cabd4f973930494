"""Who did what, when: events by a policy, written to a file or sent to a webhook, beside the loop.

`policy` decides how much of a request is told, `event` is what is told of it, `auditor` begins and ends one, and the
sinks (`log_file`, `webhook`) take events away. May import the rest of the server and the client's kubeconfig reader.
Without a policy there is no auditor, and requests pay nothing.
"""
