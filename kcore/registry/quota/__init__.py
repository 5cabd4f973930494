"""What ResourceQuotas count: the usage of objects and the scopes of quotas. Pure: admission and controller share it."""
