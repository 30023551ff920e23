"""Reads what Label Studio writes: labelling configs, tasks, annotations and predictions. The inner form stays ours."""
