"""The production jobs against an exchange, a network and a store that fail, on virtual time and from one seed."""
