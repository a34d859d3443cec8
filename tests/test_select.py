def test_x(home, pipeline, astronaut, shared_photos, shared_lfw, shared_reference, openvino_settings):
    assert len(pipeline.faces(astronaut)) == 1
    from mien.pipeline import open_cascade
    assert len(open_cascade(openvino_settings).find(astronaut)) == 1
