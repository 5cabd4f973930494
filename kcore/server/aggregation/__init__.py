"""API servers behind this one: APIServices say which group and version another server answers for (kube-aggregator).

What is asked of such a group goes on to that server, with word of who asks; its discovery and OpenAPI are told along
with ours. May import what `kcore.server` may. What an APIService means for kinds served here is not decided here.
"""
