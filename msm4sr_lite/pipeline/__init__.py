"""The pipeline from data to recommendations, as an estimator and as separate stages."""

from msm4sr_lite.pipeline.estimator import MSM4SR
from msm4sr_lite.pipeline.evaluating import Report, evaluate_scorers
from msm4sr_lite.pipeline.stages import Stage, TrainingData, prepare_training_data

__all__ = ["MSM4SR", "Report", "Stage", "TrainingData", "evaluate_scorers", "prepare_training_data"]
