"""What dossiers promise."""
