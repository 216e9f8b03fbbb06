"""What Helm makes of the chart, for which no cluster is needed."""
