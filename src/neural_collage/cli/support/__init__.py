"""What commands share: options, plans of inputs and outputs, running, reporting; no commands."""
