"""Lives of fake pods and nodes as KWOK's `Stage` resources script them.

May import what `kcore.node` may. Stages decide in place of the state machine of kubelets, for fake nodes and for
kinds that any Stage is about; what really runs is none of their business.

    stage.py         what a Stage says: when it applies, after how long, what comes then
    expressions.py   jq, as far as selectors and delays use it
    templates.py     Go's text/template, as far as statuses use it
    engine.py        everything together, over the caches
"""
