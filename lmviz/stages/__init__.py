"""The walk through a trace: its stages, where one stands, what there is to see. Pure functions of a trace."""
