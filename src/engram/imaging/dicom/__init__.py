"""Series of DICOM files to volumes in HU and SUVbw, contours and segmentations to masks. Needs pydicom."""
