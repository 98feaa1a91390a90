"""Bulk imports: files of an archive, fetched once, into whole months of the database."""
