"""The SQL adapter: one implementation on SQLAlchemy Core, whatever the database."""
