"""Methods of the Web API, one module for each group."""
