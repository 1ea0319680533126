"""The folder's name is the app's, by which clients ask for it."""
