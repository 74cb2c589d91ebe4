"""The review: a person sees every change and decides. Line by line in `plain`, full screen in `app`."""
