"""What the two webhook plugins share: which webhooks there are, what they are sent, and what their answers mean.

It speaks to webhooks only through `kcore.registry.webhook_client`. The plugins themselves, which decide in which order
webhooks are asked and what becomes of the object, are `mutating_admission_webhook` and its validating sibling.
"""
