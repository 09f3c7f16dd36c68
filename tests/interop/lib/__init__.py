"""What the interop and bench scripts share: starting servers, reading mails, reporting checks."""
