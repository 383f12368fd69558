"""A recipe of frames whose update takes milliseconds."""

TINY = """
StateStackSize = 2
PreProcHeight = 36
PreProcWidth = 40
NumStep = 4
NumEnv = 2
Epoch = 1
MiniBatch = 2
ThirdKernel = 3
ConvChannels = 2, 2, 2
HiddenSize = 4
FeatureDim = 4
RNDConvChannels = 2, 2, 2
RNDHiddenSize = 4
RNDFeatureDim = 4
RNDStateHiddenSizes = 4
DRNDTargets = 2
WorldModelHorizon = 2
WorldModelSize = 4
BYOL_projectionHiddenSize = 4
BYOL_projectionSize = 4
BarlowTwinsProjectionSizes = 4, 4
"""
