"""Run several calls together: races, fan-outs, pools, pipelines, consensus, and windows over long documents."""
