"""The engine that draws reports from cells. Knows no study."""
