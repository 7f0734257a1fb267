"""Who may use the page: accounts, their passwords, who is signed in, and the door that asks for it.

Nothing is brought up here: `himed-ui users` starts without the web application, and the page without alembic.
"""
