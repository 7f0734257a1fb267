"""Recipes: one training stage as YAML, validated, and what it will cost."""

from training.recipe.loader import load_recipe, recipe_hash, recipe_names
from training.recipe.stages import GrpoRecipe, Recipe, RewardModelRecipe, SftRecipe

__all__ = [
    "GrpoRecipe",
    "Recipe",
    "RewardModelRecipe",
    "SftRecipe",
    "load_recipe",
    "recipe_hash",
    "recipe_names",
]
