"""The iptables back end: rules in kube-proxy's layout, applied with one `iptables-restore` of only what changed.

`chains` names chains, `layout` renders what one rule and what the whole table look like, `restore` turns differences
into the text to apply, `backend` applies it. May import the model of `kcore.proxy`; sockets do not belong here.
"""
