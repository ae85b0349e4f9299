lock:
	.venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --all-extras --no-header --no-emit-index-url --python-version 3.11 -o requirements.lock
