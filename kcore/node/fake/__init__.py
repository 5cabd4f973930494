"""A runtime without containers: it keeps records, lets time pass, and claims that all went well.

May import what `kcore.node` may, but for the other runtimes. What really runs does not belong here.

What a container does can be scripted by annotations of its pod, for all its ordinary containers or, with
`.NAME` appended, for one container of any sort:

    kcore.dev/run-seconds: "30"     it ends by itself after so long (otherwise it runs until it is stopped)
    kcore.dev/exit-code: "1"        with this code (and at once, unless `run-seconds` says otherwise)
    kcore.dev/crashes: "3"          only its first three attempts end; the next one runs on
    kcore.dev/oom: "true"           what ends it is the lack of memory
    kcore.dev/message: "text"       its last words (the termination message)
    kcore.dev/stop-seconds: "5"     how long it takes to end once it was told to (no time, otherwise)
    kcore.dev/pull-seconds: "4"     how long its image takes to pull
    kcore.dev/pull-error: "text"    its image cannot be pulled, for this reason
    kcore.dev/pull-failures: "2"    only the first two pulls fail
    kcore.dev/start-seconds: "2"    how long it takes from created to running
    kcore.dev/ready-seconds: "10"   how long it runs before its probes find it started and ready
    kcore.dev/ready: "false"        they never do
    kcore.dev/live-seconds: "60"    how long it runs before its liveness probe fails
    kcore.dev/jitter: "0.5"         all these durations are up to half as long again
    kcore.dev/logs: "text"          what it has written
    kcore.dev/log-seconds: "1"      it writes one of those lines a second, over and over
    kcore.dev/exec: "{ls: a b}"     answers to commands, as YAML (see `answers.py`)
    kcore.dev/cpu: "0=100m,60=2"    what it uses: 100m at first, growing to 2 cores after a minute
    kcore.dev/memory: "64Mi"        likewise

Containers of a pod that belongs to a Job end well after a second, as nobody would wait for a Job that cannot end.
"""
