"""Many calls as one: races, fan-outs, pools, pipelines, consensus, and windows over long documents."""
