"""What a scheduler is told: KubeSchedulerConfiguration files, the older Policy files, plugins from elsewhere.

A `Plan` comes out of it, from which the scheduler builds its profiles. May import the framework and the list of
plugins; anything that knows of a running scheduler does not belong here.
"""
