"""Run by `accelerate launch`: three steps of himed-8b/la's settings on a tiny model, then a line about the engine.

Arguments: the accelerate file's name, the checkpoint, the output folder.
"""

import json
import sys

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from training.recipe import load_recipe

zero, base, output = sys.argv[1:]
recipe = load_recipe(
    "himed-8b/la",
    [
        f"launch.accelerate={zero}",
        "launch.processes=2",
        "effective_batch=8",
        "trainer.per_device_train_batch_size=2",
        "trainer.gradient_accumulation_steps=2",
        "trainer.max_grad_norm=0.5",
        "trainer.use_cpu=true",
        "trainer.max_steps=3",
        "trainer.save_steps=3",
        "trainer.report_to=[]",
        f"output={output}",
    ],
)
rows = Dataset.from_list([{"prompt": f"बुखार {i}?", "completion": " उत्तर" * (i % 7 + 1)} for i in range(40)])
held_out = rows.select(range(4))
trainer = SFTTrainer(model=base, args=SFTConfig(**recipe.arguments()), train_dataset=rows, eval_dataset=held_out)
trainer.train()
engine = trainer.model_wrapped
if trainer.is_world_process_zero():
    seen = {
        "engine": type(engine).__name__,
        "stage": engine.zero_optimization_stage(),
        "clipping": engine.gradient_clipping(),
        "batch": engine.train_batch_size(),
        "processes": trainer.args.world_size,
        "steps": trainer.state.global_step,
        "best": trainer.state.best_model_checkpoint is not None,
    }
    print("seen", json.dumps(seen), flush=True)
