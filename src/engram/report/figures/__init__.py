"""Figures of the report, as SVG text: drawn from results, without state that outlives a call."""
