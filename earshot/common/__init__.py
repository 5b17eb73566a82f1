"""The ground floor: errors, times, text, files. It imports nothing of Earshot and no database."""
