"""The top floor: the clinician's page and the end-to-end demo."""
