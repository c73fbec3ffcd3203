"""The course as pages show it: its overview, and the bar that follows the visitor from page to page."""
