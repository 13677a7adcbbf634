"""What a trainee looks at and touches in a notebook: maps, calculators, predictions, panels."""
