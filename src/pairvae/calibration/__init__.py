"""Closed-form corrections of a trained pair, made on its training pairs alone.

Each step predicts left-out training pairs, compares a statistic with its target and sets one knob of the model:

| step | statistic | what it changes |
| --- | --- | --- |
| ``length_scale`` | domain spacing of decoded textures | ``lengths`` of each texture decoder (``add_length_bias``) |
| ``posterior_mean`` | error of the posterior mean | the last layer of the encoder of whole arrays (``blend``) |
| ``conditions`` | what conditions explain of that error | the pair's ``condition_shift`` |
| ``posterior_covariance`` | scatter of crops around the centre | ``encoder.scale_tril`` |
| ``variance_matching`` | variance of decoded phase fractions, or contrasts | ``encoder.scale_tril`` |
| ``cross_regression`` | error of patterns predicted from images | ``encoder.toward`` of micrographs |

Nothing else of the model is touched. :func:`pairvae.calibration.calibrate.calibrate` takes the steps in their order.
"""
