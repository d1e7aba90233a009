"""The control plane: resources (`api`) are turned into configuration (`plan`) and run (`local`, later a cluster)."""
