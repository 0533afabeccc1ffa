//! What is inside the ciphertext: MIMI content (draft-ietf-mimi-content), so far plain text.
