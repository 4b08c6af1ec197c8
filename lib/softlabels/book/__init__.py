"""Chapters executed, the site, the first page, the PDF, and whether all of it still holds."""
