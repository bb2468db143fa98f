/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-256 of an image's disk, taken while it is copied in and again before it is published. */
#ifndef HOST_IMAGE_DIGEST_H
#define HOST_IMAGE_DIGEST_H

#include "host/image.h"

#include <openssl/evp.h>

/* Begun; NULL: OpenSSL has no SHA-256. Add by EVP_DigestUpdate. */
EVP_MD_CTX *image_digest_new(void);
void image_digest_freep(EVP_MD_CTX **digest);

/* Ends it, as 64 hexadecimal digits. 0 or -EIO. */
int image_digest_text(EVP_MD_CTX *digest, char ret[IMAGE_SHA256_SIZE]);

#endif
