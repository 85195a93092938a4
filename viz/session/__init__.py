"""The session in the browser: `twin view RESULT`."""
