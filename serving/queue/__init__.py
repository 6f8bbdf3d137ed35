"""The scored catalogue as officers look through it: filtered, searched and sorted without a database."""
