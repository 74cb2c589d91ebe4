"""What a person sees: events, change sets and questions, drawn; every byte from inside is spelled out first."""
