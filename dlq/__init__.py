"""Every message and task that failed, kept until it was sent again or someone said why it need not be."""
