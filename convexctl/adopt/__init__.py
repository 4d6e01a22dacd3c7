"""From a Helm release of the chart to an environment of this project, in place and with nothing deleted."""
