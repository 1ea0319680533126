"""Models behind the chat-completions API of OpenAI, which most providers and local servers speak."""
