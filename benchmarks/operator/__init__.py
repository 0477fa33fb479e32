"""Speed and memory of `CollageOperator` beside the published torch operator."""
